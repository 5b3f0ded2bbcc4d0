-- Two login roles with no more rights than they need, for psql 14 or newer:
--   generator  reads and writes the two tables
--   cdc        streams the WAL and reads what it captures
-- Passwords come from the psql variables generator_password and cdc_password, else from the environment variables
-- GENERATOR_PASSWORD and CDC_PASSWORD, else they are the demo's. Running it again sets the passwords anew.

\if :{?generator_password}
\else
    \set generator_password `printf %s "${GENERATOR_PASSWORD:-generator}"`
\endif
\if :{?cdc_password}
\else
    \set cdc_password `printf %s "${CDC_PASSWORD:-cdc}"`
\endif

select 'create role generator login' where not exists (select from pg_roles where rolname = 'generator') \gexec
select 'create role cdc login replication' where not exists (select from pg_roles where rolname = 'cdc') \gexec
alter role generator login password :'generator_password';
alter role cdc login replication password :'cdc_password';

grant usage on schema public to generator, cdc;
grant select, insert, update, delete on users, tweets to generator;
-- The snapshot is a SELECT; tables that the same owner creates later can be captured without another grant.
grant select on all tables in schema public to cdc;
alter default privileges in schema public grant select on tables to cdc;
