insert into c1 values (2,'v'); update c1 set id=3 where id=2; delete from c1 where id=3; insert into b values (2,1,'z'); insert into nocol default values;
