insert into z values (5); insert into b1 values (5); insert into a values (5); insert into b2 values (6);
