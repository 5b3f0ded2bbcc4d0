insert into h values (2,'"a\\b"=>"c\nd", ü=>🎉, "q\"x"=>"1,2", "AaAa"=>1, "BBBB"=>2, "AaBB"=>3','{"zebra=>1, a=>2"}');
