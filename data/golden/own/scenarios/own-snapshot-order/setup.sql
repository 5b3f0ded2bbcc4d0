create table public.z(id int primary key); create table public.b1(id int primary key); create table public.b2(id int primary key); create table public.a(id int primary key);
insert into z values (1); insert into b1 values (1),(2); insert into b2 values (1),(2),(3); insert into a values (1),(2);
