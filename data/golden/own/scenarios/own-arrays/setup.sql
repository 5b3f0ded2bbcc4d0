create extension isn; create table public.t(id int primary key, i isbn[], c "char"[], b3 bit(3)[], b1 bit[], v1 varbit(1), n name[]);
insert into t(id,i,c,b3,b1) values (1,'{0-393-04002-X}','{a,NULL,"\\"}','{101,110}','{1,0}');
