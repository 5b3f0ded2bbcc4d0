create table public.a(id int primary key, v text); create table public.b(id int primary key, v text); create table public.c(id int primary key, v text); alter table c replica identity full;
