insert into tm values (1,'infinity','infinity','infinity','infinity','24:00:00+00','24:00:00+01'),(2,'-infinity','-infinity','-infinity','-infinity','24:00:00-01','23:59:59.9+00');
