create table public.t(id int primary key, f4 float4, f8 float8, a4 float4[], a8 float8[]);
insert into t select g, (2::float8^g)::float4, 2::float8^(g*7), array[(3::float8^g)::float4, (1.1::float8*10^g)::float4], array[7::float8^g, 1.3*10::float8^g] from generate_series(-30,30) g;
