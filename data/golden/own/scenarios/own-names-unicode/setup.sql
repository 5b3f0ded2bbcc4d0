create table public.t(id int primary key, "ā" int, "ह" int, "あ" int, "	t" int, "ÿ" int, "߿" int, "ࠀ" int, "9" int, "a.b" int, "_c" int);
insert into t values (1,1,1,1,1,1,1,1,1,1,1);
