create table public.t(id int primary key, a numeric(4,1) default 1.50, b numeric(4,1) default 1.05, c numeric(5,2) default 1e1, d numeric(3,0) default 0.5, e numeric(4,2) not null default 1.000, f numeric(4,1) default -0.05, g timestamp(0) default 'infinity', h timestamptz default '-infinity', i text default E'one\ntwo', j numeric(4,1) default '1.5'::numeric(6,3));
insert into t(id) values (1);
