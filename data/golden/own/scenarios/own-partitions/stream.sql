insert into p values (2,'a','x'); alter table p attach partition p_b for values in ('b'); insert into p values (6,'b','z');
select pg_sleep(1);
update p set r='b' where id=2; update p set id=12 where id=1 and r='s';
select pg_sleep(1);
alter table p detach partition p_a; insert into p_a values (9,'a','det');
select pg_sleep(1);
truncate p_s; insert into p values (3,'h','h'),(4,'s','s'); delete from p where r='s'; create table p_def partition of p default; insert into p values (50,'zz','def');
