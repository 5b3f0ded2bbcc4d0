insert into a values (2,2,2,2); update a set k1=5 where id=2; insert into b values (2,2); insert into c values (2,2); update c set v=3 where id=2; insert into d values (2,2); insert into f values (2,2); insert into g values (2,2); insert into h values (2,2); update h set a=3 where id=2; delete from h where id=2;
alter table c rename v to w;
select pg_sleep(1);
insert into c values (3,3);
