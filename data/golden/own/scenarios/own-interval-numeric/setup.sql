create table public.i(id int primary key, i interval);
insert into i select g, make_interval(secs => g*0.001) from generate_series(1000,1005) g;
