import java.io.FileInputStream;
import java.io.IOException;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Trusts one root, and makes a TLS connection for each "host@port": to loopback, as if it were the host. */
public class Handshake {
    public static void main(String[] args) throws Exception {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        try (FileInputStream pem = new FileInputStream(args[0])) {
            roots.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        for (int i = 1; i < args.length; i++) {
            int at = args[i].lastIndexOf('@');
            String host = args[i].substring(0, at);
            System.out.println(host + connect(context, host, Integer.parseInt(args[i].substring(at + 1))));
        }
    }

    private static String connect(SSLContext context, String host, int port) throws IOException {
        try (Socket plain = new Socket("127.0.0.1", port);
                SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(plain, host, port, true)) {
            SSLParameters parameters = tls.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            tls.setSSLParameters(parameters);
            try {
                tls.startHandshake();
            } catch (IOException refusal) {
                return " refused: " + refusal.getMessage();
            }
            tls.getOutputStream().write('?');
            return tls.getInputStream().read() == '?' ? " accepted" : " went silent";
        }
    }
}
