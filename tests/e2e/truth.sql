-- One JSON object a line for tests/oracle/truth.py.
set datestyle = 'ISO';
set intervalstyle = 'postgres';
set timezone = 'UTC';
set bytea_output = 'hex';
set extra_float_digits = 3;

create or replace function pg_temp.name(tab regclass) returns text language sql as $$
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = tab
$$;

create or replace function pg_temp.rows_now() returns setof json language plpgsql as $$
declare
    t regclass;
begin
    for t in select tab from oracle.tables loop
        return query execute format(
            'select json_build_object(''kind'', ''row'', ''table'', %L, ''row'', hstore_to_json(hstore(t))) from %s t', pg_temp.name(t), t);
    end loop;
end $$;

-- A table without a primary key is known to the oracle by its first column, which the tests keep unique.
select json_build_object(
    'kind', 'table',
    'table', pg_temp.name(tab),
    'key', coalesce(
        (select json_agg(a.attname order by k.place)
         from pg_index i cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place)
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where i.indrelid = tab and i.indisprimary),
        (select json_build_array(attname) from pg_attribute where attrelid = tab and attnum = 1)),
    'keyed', exists (select from pg_index i where i.indrelid = tab and i.indisprimary),
    'full', (select relreplident = 'f' from pg_class where oid = tab),
    'columns', (select json_object_agg(c.name, c.type) from oracle.columns c where c.tab = t.tab))
from oracle.tables t;

select json_build_object('kind', 'before', 'table', pg_temp.name(tab), 'row', hstore_to_json(contents)) from oracle.before;

select json_build_object('kind', 'audit', 'table', pg_temp.name(tab), 'seq', seq, 'txid', txid, 'op', op,
                         'old', hstore_to_json(old), 'new', hstore_to_json(new))
from oracle.audit;

select * from pg_temp.rows_now();
