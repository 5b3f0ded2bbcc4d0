update f set secret='other' where id=1; update f set long='longest' where id=1; update f set hashed=null, e='' where id=1; update f set secret=null where id=1; delete from f where id=1;
update d set secret='t' where id=1; update d set id=2 where id=1; delete from d where id=2;
update x set secret='t' where id=1; insert into n values (2,'z');
