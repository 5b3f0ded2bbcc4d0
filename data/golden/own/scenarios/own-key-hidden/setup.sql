create table public.c1(id serial primary key, v text); create table public.b(x int not null, y int, z text); create unique index b_x on b(x) include (z); create table public.nocol();
