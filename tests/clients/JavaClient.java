// Java's HttpClient; arguments: a base URL, a text to send. The environment names the proxy and whom to trust.

import java.io.FileInputStream;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.HexFormat;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class JavaClient {
    private static final byte[] PIECE = "0123456789abcde\n".repeat(16384).getBytes();

    private static String base;
    private static HttpClient client;

    public static void main(String[] arguments) throws Exception {
        base = arguments[0];
        String text = arguments[1];
        var builder = HttpClient.newBuilder()
                .sslContext(trusting(System.getenv("SSL_CERT_FILE")))
                .followRedirects(HttpClient.Redirect.NORMAL);
        String proxy = System.getenv("HTTP_PROXY");
        if (proxy != null) {
            var address = URI.create(proxy);
            var socket = new InetSocketAddress(address.getHost(), address.getPort());
            builder.proxy(ProxySelector.of(socket));
        }
        client = builder.build();
        play(text);
        System.out.println("done");
    }

    private static void play(String text) throws Exception {
        var none = BodyPublishers.noBody();
        for (int round = 0; round < 3; round++) {
            expect("hello".getBytes(), ask("hello", "GET", "/hello", none, false));
        }
        ask("head", "HEAD", "/hello", none, false);
        ask("fields", "GET", "/fields", none, false);
        ask("none", "DELETE", "/none", none, false);
        ask("missing", "GET", "/missing?a=%2F&b=c", none, false);
        expect("hello".getBytes(), ask("redirect", "GET", "/redirect", none, false));
        var post = BodyPublishers.ofString(text);
        expect(text.getBytes(), ask("post", "POST", "/echo", post, false));
        // Of unknown length, so in chunks.
        var chunked = BodyPublishers.ofByteArrays(Arrays.asList(PIECE, PIECE));
        ask("chunked", "POST", "/echo", chunked, false);
        var whole = BodyPublishers.ofByteArray(PIECE);
        expect(PIECE, ask("expect", "POST", "/echo", whole, true));
        readEvents();
        byte[] large = ask("large", "GET", "/large", none, false);
        var put = BodyPublishers.ofByteArray(large);
        expect(large, ask("large put", "PUT", "/echo", put, false));
        expect(large, ask("chunks", "GET", "/chunks", none, false));
        ask("close", "GET", "/close", none, false);
    }

    private static byte[] ask(
            String step, String method, String path, BodyPublisher body, boolean expects) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(base + path))
                .method(method, body)
                .expectContinue(expects)
                .build();
        HttpResponse<byte[]> answer = client.send(request, BodyHandlers.ofByteArray());
        note(step, answer, answer.body());
        return answer.body();
    }

    private static void readEvents() throws Exception {
        var request = HttpRequest.newBuilder(URI.create(base + "/events/1")).build();
        var answer = client.send(request, BodyHandlers.ofLines());
        var lines = answer.body().filter(line -> !line.isEmpty()).iterator();
        while (lines.hasNext()) {
            String line = lines.next();
            note("event", answer, line.getBytes());
            String seen = "/seen/1/" + line.substring("data: ".length());
            ask("seen", "GET", seen, BodyPublishers.noBody(), false);
        }
    }

    private static void note(String step, HttpResponse<?> answer, byte[] body) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(body);
        String fields = step.equals("fields") ? answer.headers().map().toString() : "";
        System.out.println(
                step + " " + answer.statusCode() + " " + HexFormat.of().formatHex(digest) + " " + fields);
    }

    private static void expect(byte[] expected, byte[] found) {
        if (!Arrays.equals(expected, found)) {
            throw new AssertionError(expected.length + " bytes expected, found " + found.length);
        }
    }

    private static SSLContext trusting(String path) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = new FileInputStream(path)) {
            int count = 0;
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                store.setCertificateEntry("root " + count++, certificate);
            }
        }
        var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }
}
