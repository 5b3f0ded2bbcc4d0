-- What PostgreSQL itself says happened: row triggers write every change of the tables in oracle.tables, whole rows as
-- PostgreSQL prints them, in the transaction of the change. Rows of one key are serialised by their locks, so `seq`
-- orders the changes of a key as their transactions committed.
create extension if not exists hstore;
create schema oracle;

create table oracle.tables (tab regclass primary key);

create table oracle.columns (
    tab  regclass,
    name text,
    -- as format_type() prints it, domains resolved
    type text,
    primary key (tab, name)
);

-- rows that were there when the audit began
create table oracle.before (tab regclass, contents hstore);

create table oracle.audit (
    seq  bigserial primary key,
    txid bigint not null default pg_current_xact_id()::text::bigint,
    tab  regclass not null,
    op   text not null,
    old  hstore,
    new  hstore
);

create function oracle.note() returns trigger language plpgsql
    set datestyle = 'ISO' set intervalstyle = 'postgres' set timezone = 'UTC' set bytea_output = 'hex' set extra_float_digits = 3
as $$
declare
    before hstore;
    after  hstore;
begin
    if tg_op in ('UPDATE', 'DELETE') then before := public.hstore(old); end if;
    if tg_op in ('UPDATE', 'INSERT') then after := public.hstore(new); end if;
    insert into oracle.audit (tab, op, old, new) values (tg_relid, tg_op, before, after);
    return null;
end $$;

create function oracle.note_columns() returns event_trigger language plpgsql as $$
begin
    insert into oracle.columns
    select a.attrelid, a.attname,
           case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) else format_type(a.atttypid, a.atttypmod) end
    from oracle.tables join pg_attribute a on a.attrelid = tab join pg_type t on t.oid = a.atttypid
    where a.attnum > 0 and not a.attisdropped
    on conflict do nothing;
end $$;

create event trigger oracle_note_columns on ddl_command_end execute function oracle.note_columns();

-- From here on the table is audited. One statement, one transaction: what was before and what comes after meet.
create function oracle.watch(watched regclass) returns void language plpgsql
    set datestyle = 'ISO' set intervalstyle = 'postgres' set timezone = 'UTC' set bytea_output = 'hex' set extra_float_digits = 3
as $$
begin
    insert into oracle.tables values (watched);
    execute format('create trigger oracle_rows after insert or update or delete on %s for each row execute function oracle.note()', watched);
    execute format('create trigger oracle_truncate after truncate on %s for each statement execute function oracle.note()', watched);
    execute format('insert into oracle.before select %L, public.hstore(t) from %s t', watched, watched);
end $$;
