// Java's HttpClient through the proxy; arguments: a base URL, a text to send, the proxy's host and port.

import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

public class JavaClient {
    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        String text = arguments[1];
        var proxy = new InetSocketAddress(arguments[2], Integer.parseInt(arguments[3]));
        var client = HttpClient.newBuilder()
                .proxy(ProxySelector.of(proxy))
                .followRedirects(HttpClient.Redirect.NORMAL)
                .build();
        for (int round = 0; round < 2; round++) {
            expect("hello", get(client, base + "/hello").body());
        }
        expect("hello", get(client, base + "/redirect").body());
        expect("data: 0\n\ndata: 1\n\ndata: 2\n\n", get(client, base + "/events").body());
        expect(404, get(client, base + "/missing").statusCode());
        var post = HttpRequest.newBuilder(URI.create(base + "/echo"))
                .POST(BodyPublishers.ofString(text))
                .build();
        expect(text, client.send(post, BodyHandlers.ofString()).body());
        System.out.println("done");
    }

    private static HttpResponse<String> get(HttpClient client, String url) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).build();
        return client.send(request, BodyHandlers.ofString());
    }

    private static void expect(Object expected, Object found) {
        if (!expected.equals(found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }
}
