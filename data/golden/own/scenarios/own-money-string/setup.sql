create table public.m(id int primary key, a money, b money not null default '-3.215'::money, c money default 5);
insert into m(id,a) values (1,'1,234.567'),(2,'-0.05'),(3,null),(4,0),(5,'10000000.25');
