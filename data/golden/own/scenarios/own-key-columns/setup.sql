create table public.a(id int primary key, k1 int, k2 int, b int not null);
create table public.b(id int primary key, v int);
create table public.c(id int primary key, v int);
create table public.d(id int primary key, v int);
create table public.f(v int, id int);
create table public.g(v int primary key, id int);
create table public.h(id int primary key, a int, gk int not null generated always as (a*10) stored);
insert into a values (1,1,1,1); insert into b values (1,1); insert into c values (1,1); insert into d values (1,1); insert into f values (1,1); insert into g values (1,1); insert into h values (1,1);
