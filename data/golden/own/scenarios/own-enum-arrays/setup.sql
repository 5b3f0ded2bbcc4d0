create type mood as enum ('a','b'); create table public.t(id int primary key, m mood, ma mood[]); insert into t values (1,'a','{a}');
