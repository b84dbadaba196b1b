import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.List;
import org.h2.mvstore.MVStore;

/**
 * A mongo-java-server that is killed without losing what it has acknowledged: {@code port file}.
 *
 * <p>One message at a time is carried out and written to the file before it is answered, so that a
 * kill leaves whole documents. The wire version is what today's drivers ask for at least.
 */
public final class DurableMongoServer {
    private static final class Backend extends H2Backend {
        Backend(String file) {
            // Without commits of its own: they would come in the middle of a document.
            super(new MVStore.Builder().fileName(file).autoCommitDisabled().open());
        }

        @Override
        public synchronized Document handleMessage(MongoMessage message) {
            Document answer = super.handleMessage(message);
            commit();
            return answer;
        }
    }

    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }

    private DurableMongoServer() {}

    public static void main(String[] arguments) throws InterruptedException {
        Backend backend = new Backend(arguments[1]);
        backend.version(new Version());
        MongoServer server = new MongoServer(backend);
        server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        Thread.currentThread().join();
    }
}
