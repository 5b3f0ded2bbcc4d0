-- A table with a column of every type that events carry, and rows at the edges of their ranges.
create extension if not exists hstore;
create extension if not exists ltree;
create extension if not exists citext;
create type mood as enum ('sad', 'ok', 'glad 😀');
create domain short_name as varchar(20) check (value <> '');
create domain price as numeric(12, 4);

create table every_type (
    id           bigint primary key,
    c_bool       boolean,
    c_int2       smallint,
    c_int4       integer,
    c_int8       bigint,
    c_oid        oid,
    c_float4     real,
    c_float8     double precision,
    c_dec        numeric(10, 2),
    c_dec_wide   numeric(38, 10),
    c_dec_beyond numeric(45, 5),
    c_dec_whole  numeric(5, -2),
    c_numeric    numeric,
    c_money      money,
    c_char       char(8),
    c_varchar    varchar(40),
    c_text       text,
    c_name       name,
    c_citext     citext,
    c_bytea      bytea,
    c_uuid       uuid,
    c_json       json,
    c_jsonb      jsonb,
    c_xml        xml,
    c_inet       inet,
    c_cidr       cidr,
    c_macaddr    macaddr,
    c_macaddr8   macaddr8,
    c_bit1       bit(1),
    c_bit        bit(12),
    c_varbit     bit varying(20),
    c_date       date,
    c_time       time,
    c_time3      time(3),
    c_timetz     timetz,
    c_ts         timestamp,
    c_ts3        timestamp(3),
    c_ts0        timestamp(0),
    c_tstz       timestamptz,
    c_tstz3      timestamptz(3),
    c_interval   interval,
    c_int4range  int4range,
    c_int8range  int8range,
    c_numrange   numrange,
    c_tsrange    tsrange,
    c_tstzrange  tstzrange,
    c_daterange  daterange,
    c_point      point,
    c_mood       mood,
    c_hstore     hstore,
    c_ltree      ltree,
    c_short_name short_name,
    c_price      price,
    a_bool       boolean[],
    a_int2       smallint[],
    a_int4       integer[],
    a_int8       bigint[],
    a_float4     real[],
    a_float8     double precision[],
    a_dec        numeric(10, 2)[],
    a_text       text[],
    a_varchar    varchar(10)[],
    a_uuid       uuid[],
    a_date       date[],
    a_ts         timestamp[],
    a_tstz       timestamptz[],
    a_bytea      bytea[],
    a_jsonb      jsonb[],
    a_mood       mood[]
);

insert into every_type (id) values (1);

insert into every_type values (
    2, true, 32767, 2147483647, 9223372036854775807, 4294967295, 3.4028235e38, 1.7976931348623157e308,
    99999999.99, 9999999999999999999999999999.9999999999, 9999999999999999999999999999999999999999.99999, 99900,
    12345678901234567890123456789012345678901234567890.000100, 92233720368547758.07,
    'padded', 'varchar ✓', E'quote " backslash \\ tab \t newline \n unicode 🐘 é', 'a_name', 'CiText',
    '\x00ff10', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" :  [1, 2.50, "x\u00e9"]}', '{"b": {"c": null}, "a": 1e10}', '<a b="c">d</a>',
    '192.168.100.128/25', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'1', B'100000000001', B'00000000011',
    '9999-12-31', '23:59:59.999999', '23:59:59.999', '23:59:59.999999+00', '9999-12-31 23:59:59.999999', '2024-02-29 12:34:56.789', '2024-02-29 12:34:57',
    '9999-12-31 23:59:59.999999+00', '2024-02-29 12:34:56.789+02', '1 year 2 mons 3 days 04:05:06.789',
    '[1,10)', '(,5]', '[1.5,2.5]', '["2024-01-01 00:00:00","2024-02-01 00:00:00")', '["2024-01-01 00:00:00+00",)', '[2024-01-01,2024-02-01)',
    '(1.5,-2.25)', 'glad 😀', '"a"=>"1", "b"=>NULL, "key with space"=>"quote \" \\"', 'Top.Science.Astronomy', 'short', 1234.5678,
    '{t,f,NULL}', '{1,-1}', '{2147483647,NULL,-2147483648}', '{9223372036854775807}', '{1.5,-0.1}', '{0.1,1e300,NULL}', '{1.10,NULL,-2.00}',
    array['plain', 'with "quotes"', 'back\slash', 'comma,brace{}', '', 'NULL', null, '🐘'], '{a,b}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
    '{2024-02-29,NULL}', '{"2024-02-29 12:34:56.789012"}', '{"2024-02-29 12:34:56.789012+00"}', array['\x00ff'::bytea, null], array['{"a": 1}'::jsonb], '{sad,"glad 😀"}'
);

insert into every_type values (
    3, false, -32768, -2147483648, -9223372036854775808, 0, -1e-37, 5e-324,
    -0.01, -0.0000000001, -0.00001, -99900,
    -0.5, -0.01,
    '', '', '', '', '', '\x', '00000000-0000-0000-0000-000000000000', 'null', '[]', '', '::1', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
    B'0', B'000000000000', B'', '0001-01-01', '00:00:00', '00:00:00', '00:00:00+15:59', '0001-01-01 00:00:00', '1969-12-31 23:59:59.999', '1970-01-01 00:00:00',
    '0001-01-01 00:00:00+00', '1969-12-31 23:59:59.999+00', '-1 mons -2 days -03:04:05.000006', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty',
    '(0,0)', 'sad', '', '', 'x', 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'
);

-- what a lake column cannot hold, and what is no number
insert into every_type (id, c_float4, c_float8, c_date, c_ts, c_tstz, a_float8, c_time, c_interval)
values (4, 'NaN', 'Infinity', 'infinity', 'infinity', '-infinity', '{NaN,Infinity,-Infinity}', '24:00:00', '100 years'),
       (5, '-Infinity', 'NaN', '-infinity', '-infinity', 'infinity', '{NULL}', '12:00:00', '1 day -00:00:01');
