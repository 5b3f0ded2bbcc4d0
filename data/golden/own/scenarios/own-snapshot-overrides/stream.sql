insert into "Other" values (3);
