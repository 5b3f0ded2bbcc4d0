create table public.f(id int primary key, secret text, long text, hashed text, e text not null); alter table f replica identity full;
create table public.d(id int primary key, secret text not null, long text not null, hashed text not null, num numeric(5,2) not null, ts timestamptz not null, u uuid not null, j jsonb not null, b bytea not null, i int[] not null);
create table public.x(id int primary key, ux text not null, secret text not null, long varchar(3) not null); create unique index x_ux on x(ux); alter table x replica identity using index x_ux;
create table public.n(id int primary key, secret text not null); alter table n replica identity nothing;
insert into f values (1,'s','longer','h','e'); insert into d values (1,'s','longer','h',1.5,'2024-01-01Z','00000000-0000-0000-0000-000000000001','{}','\x01','{1}'); insert into x values (1,'u','s','abc'); insert into n values (1,'s');
