insert into t(n) values (2); insert into u(n) values (2);
alter table u add x smallserial;
select pg_sleep(1);
insert into u(n) values (3);
