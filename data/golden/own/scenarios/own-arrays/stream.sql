insert into t values (2,'{0-393-04002-X}','{a,NULL,"\\"}','{101,110}','{1,0}','1','{nm}'),(3,'{}','{}','{}','{}','0','{}'); delete from t where id=3;
