create table public.nums(id numeric(10,0) primary key, a numeric(5,-2), j numeric(10,2) default -12.5, k numeric(10,2) not null default 0, q money not null default '-3.21', m numeric not null default -7);
insert into nums(id,a,q) values (1,12345,2.75);
