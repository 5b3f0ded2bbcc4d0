insert into m(id,a) values (11,'1,234.567'),(12,'-0.05'),(13,null),(14,0),(15,'10000000.25');
update m set a=a*2, c=null where id=11;
update m set id=33 where id=12;
delete from m where id=13;
