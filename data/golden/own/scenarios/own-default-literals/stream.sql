insert into t(id) values (2); insert into t values (3,null,null,null,null,1,null,null,null,null,null); update t set id=4 where id=3; delete from t where id=4;
