//! Names of variables and settings: the words of one, which of them say that the value is a secret and which that it is none,
//! and the services whose keys may look like anything, so that nothing but the name tells them from the key of a table.

/// Words of a name whose values are no secrets: such a token or key is handed to anybody, or it names a place.
pub(super) const HARMLESS_WORDS: [&[u8]; 46] = [
    b"next",
    b"page",
    b"sync",
    b"cursor",
    b"resume",
    b"progress",
    b"primary",
    b"foreign",
    b"sort",
    b"partition",
    b"object",
    b"row",
    b"lookup",
    b"index",
    b"group",
    b"hash",
    b"dedup",
    b"etag",
    b"lock",
    b"cache",
    b"site",
    b"image",
    b"translation",
    b"query",
    b"path",
    b"file",
    b"checksum",
    b"routing",
    b"message",
    b"device",
    b"instrumentation",
    b"host",
    b"peer",
    b"project",
    b"issue",
    b"i18n",
    b"csrf",
    b"xsrf",
    b"public",
    b"publishable",
    b"authenticity",
    b"fingerprint",
    b"thumbprint",
    b"idempotency",
    b"registration",
    b"pub",
];
/// The same where words are written as one, and beginnings of words.
pub(super) const HARMLESS_PARTS: [&[u8]; 10] = [
    b"pagetoken",
    b"nexttoken",
    b"publickey",
    b"cachekey",
    b"continuation",
    b"cancellation",
    b"verif",
    b"csrf",
    b"xsrf",
    b"idempot",
];

/// What a key is for, if it is a secret.
pub(super) const KEY_WORDS: [&[u8]; 36] = [
    b"api",
    b"access",
    b"secret",
    b"private",
    b"auth",
    b"encrypt",
    b"encryption",
    b"signing",
    b"sign",
    b"master",
    b"admin",
    b"service",
    b"app",
    b"application",
    b"subscription",
    b"account",
    b"deploy",
    b"license",
    b"licence",
    b"shared",
    b"jwt",
    b"aes",
    b"hmac",
    b"ssh",
    b"webhook",
    b"session",
    b"cookie",
    b"crypto",
    b"vault",
    b"root",
    b"storage",
    b"client",
    b"security",
    b"rsa",
    b"registry",
    b"deterministic",
];

/// Words that a password with nothing but a number behind them is not told for: examples, and names in code.
pub(super) const PLAIN_WORDS: [&[u8]; 48] = [
    b"secret",
    b"example",
    b"test",
    b"demo",
    b"user",
    b"admin",
    b"sha",
    b"md5",
    b"utf",
    b"oauth",
    b"base",
    b"http",
    b"value",
    b"string",
    b"input",
    b"field",
    b"hash",
    b"label",
    b"type",
    b"text",
    b"token",
    b"key",
    b"change",
    b"foo",
    b"bar",
    b"random",
    b"hidden",
    b"dummy",
    b"sample",
    b"none",
    b"null",
    b"true",
    b"false",
    b"undefined",
    b"default",
    b"required",
    b"optional",
    b"abcd",
    b"qwerty",
    b"login",
    b"email",
    b"index",
    b"param",
    b"option",
    b"column",
    b"group",
    b"crypt",
    b"prompt",
];

/// Services, in lower case and written as one word, sorted; of two that begin alike the shorter one. None whose keys are for browsers.
const SERVICES: &str = "\
    abstractapi abuseipdb accuweather activecampaign adzuna aftership agora airbrake aircall airtable airvisual \
    alienvault alpaca alphavantage amadeus ambee anypoint apiflash apilayer apolloio appdynamics appfollow \
    appsflyer appwrite asana auth0 avalara aviationstack azuremaps bannerbear baremetrics betterstack betteruptime \
    bigcommerce bingsearch bitfinex bitly bitmex bitrise bittrex blazemeter blockfrost blocknative borgbase \
    braintree braze brightdata browshot bscscan bufferapp bunnycdn bunnynet buttercms bybit calendarific calendly \
    carboninterface censys chargebee chartmogul checkly clearbit clicksend clockify cloudconvert cloudflare \
    cloudimage cloudinary cloudmersive cloudsmith codaio codefresh codemagic coinapi coinbase coingecko coinlayer \
    coinmarketcap coinstats columnapi confluent contentful convertapi convertkit coppercrm coresignal covalent \
    crowdin crowdstrike cryptocompare currencyfreaks currencylayer currencyscoop currentsapi customerio databox \
    datacamp datadog datagov deepai deepl delighted detectify detectlanguage deviantart diffbot digitalocean \
    discogs disqus docparser docusign dropbox dubco dynatrace edamam edenai elasticemail elevenlabs etherscan etsy \
    eventbrite everhour exchangerateapi exchangeratesapi expedia fastforex fastly fibery figma figshare filestack \
    finage financialmodelingprep finicity finnhub fitbit fixerio flickr flightapi flightaware flightstats \
    flutterwave foursquare freshbooks freshdesk fullcontact garmin geoapify geocodify geoip geonames getresponse \
    getstream giphy gitbook github gitlab glassnode gnews gocardless godaddy googlemaps grafana graphcms \
    graphhopper greynoise groovehq growthbook gtmetrix guardianapi gumroad guruapi harvestapp hasura hellosign \
    helpscout hereapi heremaps heroku hiveai holidayapi honeybadger html2pdf hubspot huggingface hunterio hygraph \
    iconfinder iexcloud imagekit imagga imgbb imgur infobip infura insightly intercom intrinio ip2location ipdata \
    ipgeolocation ipinfo ipquality ipstack iterable jotform jumpcloud kickbox klaviyo kling knockapp kontent \
    kraken kucoin labelstudio languagetool lastfm launchdarkly leadfeeder lemlist lemonsqueezy linkedin \
    linkpreview livekit locationiq logdna logzio lokalise looker loopsso loyverse lunchmoney magicbell \
    mailboxlayer mailchimp mailerlite mailgun mailjet mailmodo mailsac mapbox mapillary mapquest marketstack \
    mattermost mediastack meili meraki mercadopago messari metabase miroapi mixmax mockaroo mondayapi mondaycom \
    moosend moralis mouser muxtoken namecheap nasa nasdaq netlify neutrinoapi newrelic newsapi newscatcher \
    newsdata nftport notion novu numverify nutritionix nvdapi nvidia nylas nytimes oanda okta okx omdb omnisend \
    onelogin onesignal onfleet openai opencage openexchangerates openuv openweather opsgenie optimizely oura \
    oxylabs packagecloud pagerduty pagespeed pandadoc pandascore paymongo paypal paystack pdflayer pdfshift \
    peopledatalabs pexels photoroom pinata pingdom pipedream pipedrive pivotaltracker pixabay plaid podio \
    polygonapi polygonio polygonscan porkbun positionstack postman printful printify proxycrawl proxycurl pubnub \
    purestake qase quandl quicknode rawg raygun razorpay rebrandly recurly removebg repairshopr replicate \
    ringcentral roboflow rocketreach rollbar rudderstack salesflare scraperapi scrapingant scrapingbee scrapingdog \
    screenshotapi screenshotlayer scrutinizer securitytrails semrush sendbird sendgrid sendinblue serpapi \
    serphouse serpstack shipengine shippo shipstation shodan shopify shortio shotstack shutterstock signalwire \
    sigopt simfin sinch skyscanner slack smartsheet smartystreets smtp2go snipcart snovio sonarcloud sonarqube \
    sparkpost splunk spoonacular sportsmonk spotify squarespace stability statsig statuscake statuspage stormglass \
    storyblok strava stripe stytch sumologic supabase surveymonkey swiftype tapfiliate tatum tavily taxjar \
    telegram telnyx terraform theodds ticketmaster tiingo timezoneapi timezonedb tinkapi tinymce tinypng tinyurl \
    tmdb todoist toggl tomorrowio tomtom tradier trello tweetscout twelvedata twilio twitch twitter typeform \
    typesense unsplash upcdatabase uploadcare uptimerobot urlscan userstack vercel veriphone vimeo virustotal \
    visualcrossing vonage vultr wakatime walkscore wandb weatherapi weatherbit weatherstack webflow whoisxml whoxy \
    wistia witai wolfram wpengine wrike yelp youtrack youtube zapier zendesk zenrows zenscrape zenserp zeplin \
    zerobounce zerotier zoom zulip zyte";

/// The words of a name in any style, in lower case.
pub(super) fn words(name: &[u8]) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut before = b'_';
    for (at, byte) in name.iter().enumerate() {
        let is_upper = byte.is_ascii_uppercase();
        let next_is_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = is_upper
            && (!before.is_ascii_uppercase() || (next_is_lower && before.is_ascii_uppercase()));
        if begins || !byte.is_ascii_alphanumeric() {
            words.push(Vec::new());
        }
        if let Some(word) = words.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            word.push(byte.to_ascii_lowercase());
        }
        before = *byte;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether some words of a name, read on from one of them, begin with a service's.
pub(super) fn names_service(words: &[Vec<u8>]) -> bool {
    (0..words.len()).any(|from| {
        let name = words.get(from..).unwrap_or_default().concat();
        SERVICES.split_ascii_whitespace().any(|service| name.starts_with(service.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_named(words: &[&str]) -> bool {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        names_service(&words)
    }

    #[test]
    fn a_name_in_any_style_has_the_same_words() {
        for name in
            ["api_secret_key", "apiSecretKey", "APISecretKey", "API_SECRET_KEY", "api.secret-key"]
        {
            assert_eq!(words(name.as_bytes()), [&b"api"[..], b"secret", b"key"], "{name}");
        }
    }

    #[test]
    fn a_service_is_known_in_each_style_of_its_name() {
        assert!(is_named(&["open", "weather", "map", "key"]));
        assert!(is_named(&["openweathermap", "api", "key"]));
        assert!(is_named(&["my", "ip", "stack", "access", "key"]));
        assert!(!is_named(&["cache", "key"]) && !is_named(&["stack", "key"]) && !is_named(&[]));
    }

    #[test]
    fn no_service_is_said_twice() {
        let all: Vec<&str> = SERVICES.split_ascii_whitespace().collect();
        for pair in all.windows(2) {
            assert!(pair[0] < pair[1] && !pair[1].starts_with(pair[0]), "{pair:?}");
        }
        assert!(all.len() > 300);
    }
}
