insert into t values (2,'b','{b}');
alter type mood add value 'c';
select pg_sleep(1);
insert into t values (3,'c','{c}');
select pg_sleep(1);
create table u(id int primary key, ma mood[], m mood);
select pg_sleep(1);
insert into u values (1,'{c}','c');
