create extension hstore; create table public.h(id int primary key, h hstore, ha hstore[]);
insert into h values (1,'zebra=>1, a=>2, bb=>3, "key with space"=>NULL, ü=>5, "日本"=>6, k7=>7, k8=>8, k9=>9, k10=>10, k11=>11, k12=>12, k13=>13, k14=>14','{"zebra=>1, a=>2","x=>y, b=>c, cc=>d"}');
