create schema "My Sch"; create table public."Mixed"(id int primary key); create table public."Other"(id int primary key); create table public.up(id int primary key); create table "My Sch"."T.x"(id int primary key);
insert into "Mixed" values (1),(2); insert into "Other" values (1); insert into up values (1),(2); insert into "My Sch"."T.x" values (1),(2);
