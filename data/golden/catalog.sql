-- What the catalog knows of every table, in the form of the crate debezium's TableSchema. After each DDL statement the
-- event trigger notes the versions that are new. Read them with: select capture.versions();
create schema capture;
create table capture.version(id bigint generated always as identity, relation oid, content jsonb);

-- PgTypeKind: domains are resolved, their modifier counts if the column has none.
create function capture.kind(type oid, modifier int) returns jsonb language plpgsql stable as $$
declare t pg_catalog.pg_type; p int;
begin
  select * into t from pg_catalog.pg_type where oid = type;
  if t.typtype = 'd' then
    return capture.kind(t.typbasetype, case when modifier = -1 then t.typtypmod else modifier end);
  elsif t.typtype = 'e' then
    return jsonb_build_object('kind', 'enum', 'labels',
      (select jsonb_agg(enumlabel order by enumsortorder) from pg_catalog.pg_enum where enumtypid = type));
  elsif t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1 then
    return jsonb_build_object('kind', 'array', 'element', capture.type(t.typelem, modifier));
  end if;
  p := case when modifier = -1 then 6 else modifier end;
  return case t.typname
    when 'numeric' then case when modifier = -1 then '{"kind":"unconstrained_numeric"}'::jsonb
      else jsonb_build_object('kind', 'numeric', 'precision', ((modifier - 4) >> 16) & 65535,
        'scale', (((modifier - 4) & 2047) # 1024) - 1024) end
    when 'bit' then jsonb_build_object('kind', 'bit', 'length', case when modifier = -1 then 1 else modifier end)
    when 'varbit' then jsonb_build_object('kind', 'varbit', 'length', nullif(modifier, -1))
    when 'time' then jsonb_build_object('kind', 'time', 'precision', p)
    when 'timetz' then jsonb_build_object('kind', 'time_tz', 'precision', p)
    when 'timestamp' then jsonb_build_object('kind', 'timestamp', 'precision', p)
    when 'timestamptz' then jsonb_build_object('kind', 'timestamp_tz', 'precision', p)
    when 'int4range' then '{"kind":"range","range":"int4"}'
    when 'int8range' then '{"kind":"range","range":"int8"}'
    when 'numrange' then '{"kind":"range","range":"num"}'
    when 'tsrange' then '{"kind":"range","range":"ts"}'
    when 'tstzrange' then '{"kind":"range","range":"ts_tz"}'
    when 'daterange' then '{"kind":"range","range":"date"}'
    when 'char' then '{"kind":"internal_char"}'
    else jsonb_build_object('kind', case when t.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'float4', 'float8',
      'money', 'bpchar', 'varchar', 'text', 'name', 'citext', 'bytea', 'uuid', 'json', 'jsonb', 'xml', 'inet', 'cidr',
      'macaddr', 'macaddr8', 'date', 'interval', 'point', 'hstore', 'ltree', 'isbn', 'geometry', 'geography')
      then t.typname::text else 'unknown' end)
  end;
end $$;

-- PgType. A domain or a composite as an element of an array is of no known kind.
create function capture.type(type oid, modifier int) returns jsonb language sql stable as $$
  select jsonb_build_object('oid', t.oid::bigint, 'name', t.typname, 'modifier', modifier, 'kind',
    case when t.typtype = 'd' then '{"kind":"unknown"}' else capture.kind(t.oid, modifier) end)
  from pg_catalog.pg_type t where t.oid = type
$$;

create function capture.domain_modifier(type oid, modifier int) returns int language sql stable as $$
  select case when modifier <> -1 or t.typtype <> 'd' then modifier
    else capture.domain_modifier(t.typbasetype, t.typtypmod) end
  from pg_catalog.pg_type t where t.oid = type
$$;

-- The key: of the primary key, else of the first unique index by name that has neither expressions nor a condition.
create function capture.tables() returns table(relation oid, content jsonb) language sql stable as $$
  select c.oid, jsonb_build_object(
    'generated', (select coalesce(jsonb_agg(attname order by attnum), '[]') from pg_catalog.pg_attribute
      where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated <> ''),
    'table', jsonb_build_object(
      'table', jsonb_build_object('database', current_database(), 'schema', n.nspname, 'table', c.relname),
      'columns', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
          'name', a.attname,
          'type', jsonb_build_object('oid', t.oid::bigint, 'name', t.typname,
            'modifier', capture.domain_modifier(t.oid, a.atttypmod), 'kind', capture.kind(t.oid, a.atttypmod)),
          'optional', not (a.attnotnull or t.typnotnull),
          'default_expression', case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end))
          order by a.attnum), '[]')
        from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
          left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'key', (select coalesce(jsonb_agg(p.position - 1 order by k.ordinal), '[]')
        from (select i.* from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
            where i.indrelid = c.oid and i.indisunique and i.indexprs is null and i.indpred is null
            order by i.indisprimary desc, x.relname limit 1) i
          cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, ordinal)
          join (select attnum, row_number() over (order by attnum) as position from pg_catalog.pg_attribute
            where attrelid = c.oid and attnum > 0 and not attisdropped) p on p.attnum = k.attnum
        where k.ordinal <= i.indnkeyatts),
      'replica_identity', case c.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' else 'index' end))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and c.relpersistence <> 't'
    and n.nspname not in ('capture', 'pg_catalog', 'information_schema')
$$;

create function capture.note() returns event_trigger language plpgsql as $$
begin
  insert into capture.version(relation, content)
    select t.relation, t.content from capture.tables() t
    where t.content is distinct from
      (select v.content from capture.version v where v.relation = t.relation order by v.id desc limit 1);
end $$;
create event trigger note on ddl_command_end execute function capture.note();

create function capture.versions() returns text language sql as $$
  select '[' || coalesce(string_agg(content::text, E',\n' order by id), '') || ']' from capture.version
$$;
