create table public.tm(id int primary key, ts timestamp, ts0 timestamp(0), ts3 timestamp(3), z timestamptz, tz timetz, tz0 timetz(0));
