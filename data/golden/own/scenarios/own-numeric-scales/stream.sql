insert into nums(id,a) values (2,-50),(3,null); update nums set id=33 where id=2; delete from nums where id=3;
