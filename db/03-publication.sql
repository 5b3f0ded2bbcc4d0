-- What cdc may stream. It is made here, by the owner of the tables, because making it takes ownership of every table in
-- it, which the role cdc has not. The name comes from the psql variable publication_name, else from the environment
-- variable PUBLICATION_NAME, else it is the one a Debezium connector looks for when none is configured.

\if :{?publication_name}
\else
    \set publication_name `printf %s "${PUBLICATION_NAME:-dbz_publication}"`
\endif

select format('create publication %I for table public.users, public.tweets', :'publication_name')
where not exists (select from pg_publication where pubname = :'publication_name') \gexec
