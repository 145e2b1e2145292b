// What JDBC does: statements prepared at their fifth run, binary rows, portals read in parts, metadata, COPY, errors.
// Reads lines `key=value` of a target, prints lines.
import java.io.*;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Client {
  static final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true);

  static void rows(String what, ResultSet set) throws SQLException {
    int width = set.getMetaData().getColumnCount();
    while (set.next()) {
      StringBuilder line = new StringBuilder(what);
      for (int at = 1; at <= width; at++) line.append(" | ").append(set.getString(at));
      out.println(line.toString().replace("\n", "\\n"));
    }
    set.close();
  }

  static void ask(String what, Connection connection, String text) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean more = statement.execute(text);
      while (more || statement.getUpdateCount() != -1) {
        if (more) rows(what, statement.getResultSet());
        else out.println(what + " count " + statement.getUpdateCount());
        more = statement.getMoreResults();
      }
    } catch (SQLException error) {
      out.println(what + " error " + error.getSQLState() + " " + error.getMessage());
    }
  }

  public static void main(String[] arguments) throws Exception {
    Properties target = new Properties();
    target.load(new InputStreamReader(System.in, "UTF-8"));
    String url = target.getProperty("url");
    Properties settings = new Properties();
    for (String name : target.stringPropertyNames()) if (!name.equals("url")) settings.setProperty(name, target.getProperty(name));
    for (String mode : List.of("extended", "extendedForPrepared", "simple")) {
      settings.setProperty("preferQueryMode", mode);
      try (Connection connection = DriverManager.getConnection(url, settings)) {
        out.println("mode " + mode);
        read(connection);
      }
    }
  }

  static void read(Connection connection) throws Exception {
    ask("plain", connection, "SELECT id, total, placed::text FROM orders WHERE id < 5 ORDER BY id");
    ask("several", connection, "SELECT 1 AS x; SELECT 2 AS y");
    ask("kinds", connection, "SELECT b, i2, i4, i8, f8, n, t, v, j, jb, ar, ta, ip, iv FROM kinds ORDER BY id");
    try (PreparedStatement one = connection.prepareStatement("SELECT id, note, total FROM orders WHERE id = ? OR note = ?")) {
      for (int id = 1; id <= 8; id++) {  // the fifth names it at the server
        one.setInt(1, id);
        one.setString(2, "note 6");
        rows("prepared " + id, one.executeQuery());
      }
    }
    connection.setAutoCommit(false);
    try (PreparedStatement many = connection.prepareStatement("SELECT id FROM orders WHERE id < ? ORDER BY id")) {
      many.setFetchSize(3);
      many.setInt(1, 12);
      rows("in parts", many.executeQuery());
    }
    Savepoint point = connection.setSavepoint("here");
    ask("error", connection, "SELECT 1 / 0");
    ask("aborted", connection, "SELECT 1");
    connection.rollback(point);
    ask("after", connection, "SELECT count(*) FROM orders");
    connection.commit();
    connection.setAutoCommit(true);
    connection.setReadOnly(true);
    ask("read-only", connection, "SELECT max(id) FROM orders");
    DatabaseMetaData about = connection.getMetaData();
    try (ResultSet tables = about.getTables(null, "s1", "%", new String[] {"TABLE", "VIEW"})) {
      while (tables.next()) out.println("table " + tables.getString("TABLE_NAME") + " " + tables.getString("TABLE_TYPE"));
    }
    try (ResultSet columns = about.getColumns(null, "public", "orders", "%")) {
      while (columns.next()) out.println("column " + columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME") + " " + columns.getInt("COLUMN_SIZE"));
    }
    try (ResultSet keys = about.getPrimaryKeys(null, "public", "orders")) {
      while (keys.next()) out.println("key " + keys.getString("COLUMN_NAME"));
    }
    if (!"simple".equals(connection.unwrap(PGConnection.class).getPreferQueryMode().value())) {
      try (PreparedStatement one = connection.prepareStatement("SELECT id, note FROM orders WHERE id = ?")) {
        ResultSetMetaData told = one.getMetaData();
        for (int at = 1; at <= told.getColumnCount(); at++) out.println("told " + told.getColumnName(at) + " " + told.getColumnTypeName(at));
        out.println("takes " + one.getParameterMetaData().getParameterTypeName(1));
      }
    }
    CopyManager copies = connection.unwrap(PGConnection.class).getCopyAPI();
    StringWriter copied = new StringWriter();
    copies.copyOut("COPY (SELECT id, note FROM orders ORDER BY id LIMIT 5) TO STDOUT (FORMAT csv)", copied);
    out.println("copied " + copied.toString().replace("\n", "\\n"));
    out.println("valid " + connection.isValid(5));
  }
}
