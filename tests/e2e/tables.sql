-- Beside the tweet tables and the table of every type: keys and replica identities of every kind.
create table composite_key (
    region text,
    number integer,
    note   text,
    primary key (region, number)
);

create table full_identity (
    id   integer primary key,
    note text,
    body text
);
alter table full_identity replica identity full;
alter table full_identity alter column body set storage external;

-- n is unique, which PostgreSQL does not know
create table no_key (
    n    integer,
    note text
);
alter table no_key replica identity full;

-- values of some size are kept out of line and uncompressed: an UPDATE that does not touch them does not send them
alter table tweets alter column text set storage external;
alter table tweets alter column entities set storage external;
