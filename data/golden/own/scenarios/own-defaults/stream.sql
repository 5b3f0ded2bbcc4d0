insert into d(i,j,k,n,bg,m) values (null,null,null,null,null,null);
insert into d(a,b,c,f,g,o,q,s,t,v,x,ab,ac,af,an,ao,ar,at,aw,bc,bo,bt,df,tz,i,j,k,n,bg,m) values (null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
delete from d where id=2;
