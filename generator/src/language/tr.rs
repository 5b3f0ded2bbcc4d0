use super::{City, Language, Names};

pub const TURKISH: Language = Language {
    code: "tr",
    weight: 2,
    names: Names::Turkish,
    phrases: &[
        "Günaydın {city}! Çay demlendi, buyurun",
        "Otobüs {n} dakikadır gelmedi, yürüyerek gidiyorum",
        "Maçın {n}. dakikası aklımdan çıkmıyor",
        "İyi ki doğdun {name}, nice mutlu yıllara",
        "Kedi yine klavyenin üstünde uyuyor",
        "Bugün {city} tam {n} derece, gölge arayan var mı?",
        "Kitabın son {n} sayfası, bitmesin istiyorum",
        "Anne köftesi gibisi yok",
        "Yarın kesin spora başlıyorum",
        "Toplantı yine uzadı, çay yine soğudu",
        "Güneş batarken sahilde olmak gibisi yok",
        "Cuma akşamı canlıya çıkılmaz, öğrendik",
    ],
    hashtags: &[
        "günaydın",
        "İstanbul",
        "çay",
        "futbol",
        "kitap",
        "müzik",
        "kedi",
        "deniz",
        "haftasonu",
    ],
    cities: &[
        City::new("İstanbul", "TR", 2_897_696, 4_100_527),
        City::new("Ankara", "TR", 3_285_411, 3_992_077),
        City::new("İzmir", "TR", 2_714_283, 3_841_885),
    ],
};
