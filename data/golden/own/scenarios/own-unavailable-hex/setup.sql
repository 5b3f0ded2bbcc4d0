create table public.d(id int primary key, a text, t text, b bytea, tt text[], j jsonb, u uuid[], i int[], l bigint[], da date[]);
do $$ declare r record; begin for r in select attname from pg_attribute where attrelid='d'::regclass and attnum>2 loop execute format('alter table d alter %I set storage external', r.attname); end loop; end $$;
