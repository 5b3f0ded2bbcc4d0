insert into d select 1,'a',repeat('t',3000),decode(repeat('ab',3000),'hex'),array[repeat('x',3000)],to_jsonb(repeat('y',3000)),array_agg(md5(g::text)::uuid),array_agg(g),array_agg(g),array_agg('2024-01-01'::date+g) from generate_series(1,600) g;
update d set a='c' where id=1;
