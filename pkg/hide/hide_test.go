package hide_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/hide"
)

// In each text, «…» is what must be hidden, and all else must stay.
func TestText(t *testing.T) {
	for _, text := range []string{
		"postgres://app:«hunter2»@orders.prod.db.example.com:5432/orders?sslmode=require",
		"redis://:«p@ss»@cache:6379/0",
		"app:«hunter2»@tcp(orders:3306)/shop",
		"jdbc:oracle:thin:scott/«tiger»@//orders:1521/shop",
		"Server=orders;Database=shop;User Id=app;Password=«hunter2»;Encrypt=true",
		"host=orders user=app password=«hunter2» dbname=shop",
		"jdbc:postgresql://orders:5432/shop?user=app&password=«hunter2»&ssl=true",
		"https://api.example.com/v1?api_key=«abcd1234»&page=2",
		"spring.datasource.password=«hunter2»\nspring.datasource.url=jdbc:postgresql://orders/shop\n",
		"database:\n  user: app\n  password: \"«hunter2»\"\n  host: orders\n",
		`{"user": "app", "password": "«hunter2»", "host": "orders"}`,
		"PGPASSWORD=«hunter2» psql -h orders -c 'drop table x'",
		"flyway -url=jdbc:postgresql://orders/shop -user=app -password=«hunter2» clean",
		"pg_dump --password «hunter2» --host orders",
		"-- set the password '\nDROP TABLE orders;\n-- '", "SELECT 1 /* password ' */; DROP TABLE orders; /* ' */", "psql postgres://app:x;dropdb$IFS-hdb$IFS;:@orders-db:5432/orders",
		"--token=«abc»|rm$IFS-rf$IFS/data", "basic dropdb.sh", "--reset-token-sql 'DROP TABLE orders'", "https://x/?code=«1»;dropdb$IFS-horders", "password=(hidden, x)",
		"CREATE USER app WITH PASSWORD '«hunter2»';", "ALTER USER 'app'@'%' IDENTIFIED BY '«hunter2»'", "alter user app identified by \"«x»\" account unlock",
		"curl -H 'Authorization: Bearer «abcdefghijklmnop»' https://x",
		"git clone https://x-access-token:«ghp_abcdefghijklmnopqrstuvwxyz0123456789»@github.com/a/b",
		"use «ghp_abcdefghijklmnopqrstuvwxyz0123456789» for it",
		"-----BEGIN RSA PRIVATE KEY-----«\nMIIEowIBAAKCAQEAMIIEowIBAAKCAQEAMIIEowIBAAKCAQEAMIIEowIBAAKCAQEA\nabc=\n»-----END RSA PRIVATE KEY-----",
		// What a shell or a database runs is never hidden, however it is dressed up.
		": -----BEGIN A PRIVATE KEY-----\ndropdb -h orders.prod orders\n: -----END A PRIVATE KEY-----", ": -----BEGIN A PRIVATE KEY-----\n/mnt/scripts/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n-----END A PRIVATE KEY-----", "cat <secret>/data/orders</etc/passwd",
		": -----BEGIN A PRIVATE KEY----- dropdb -h orders -----END A PRIVATE KEY-----",
		": -----BEGIN A PRIVATE KEY-----\nreboot\n-----END A PRIVATE KEY-----",
		"echo password \"$(dropdb -h orders.prod orders)\"", "curl http://a:$(dropdb${IFS}orders)@h", "SELECT 1 -- password '\n; DROP TABLE orders; --'", "password=`reboot`",
		"\"password\": \"«a b hunter2»\",", "password: \"«p@ss&hunter2»\"", "password: '«ab{hunter2»'", "CREATE USER a PASSWORD '«it''s»'", "-password «hunter2» clean",
		"<password>«hunter2»</password>", "mysql -u root -p«hunter2» shop", "redis-cli -h x -a «hunter2» FLUSHALL", "curl -sf -u me:«hunter2» https://x", "mongosh -u a -p «hunter2»", "sshpass -p «hunter2» ssh x",
		"mysql -h orders -P 3306 --port 3306 shop",
		"--password-file /run/secret --secret-name orders --token-path=/var/run/token",
		"secretName: orders-credentials\ntokenExpiration: 1h\n",
		"password=$(PASSWORD) token=${TOKEN}",
		"SELECT * FROM tokens WHERE id = 7", "the password is hard to guess", "drop table passwords",
		"--url https://a:b/c --x=y", "",
	} {
		want := regexp.MustCompile(`(?s)«.*?»`).ReplaceAllString(text, "…")
		got := regexp.MustCompile(`\(hidden, sha256 [0-9a-f]{32}\)`).ReplaceAllString(hide.Text("args", strings.NewReplacer("«", "", "»", "").Replace(text)), "…")
		if got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, text := range []string{
		"mysql|-uroot|-p«hunter2»|-h|orders|-e|drop database shop", "/usr/bin/mysqldump|-p«x»|shop", "psql|-p|5432|-h|orders",
		"redis-cli|-a|«hunter2»|FLUSHALL", "curl|-u|«app:hunter2»|https://x", "flyway|-password|«hunter2»|clean", "app|--api-token|«abc»|--token-file|/x",
		"app|--password=«hunter2»|run", "mysqldump|-p|shop", "sh|-c|PGPASSWORD=«hunter2» psql", "app|--password|$(PASSWORD)", "tar|-pxf|a.tar",
	} {
		var words []string
		for w := range strings.SplitSeq(strings.NewReplacer("«", "", "»", "").Replace(text), "|") {
			words = append(words, w)
		}
		want := regexp.MustCompile(`«.*?»`).ReplaceAllString(text, "…")
		got := regexp.MustCompile(`\(hidden, sha256 [0-9a-f]{32}\)`).ReplaceAllString(strings.Join(hide.Words("args", words), "|"), "…")
		if got != want {
			t.Errorf("%q\n got %q", want, got)
		}
	}
}

// The value of a name that says so is hidden whole; names about a credential hide nothing.
func TestValue(t *testing.T) {
	for value, hidden := range map[string]bool{"hunter2": true, "hunter2\n": true, "rm -rf /": false, "$(reboot)": false, "`reboot`": false, "$PASSWORD": false, "a${IFS}b": false, "p@ssw0rd!&;": true, "dropdb$IFS-h": false} {
		if got := hide.Hidden(hide.Value("env", "PASSWORD", value)); got != hidden {
			t.Errorf("%q: hidden %v, want %v", value, got, hidden)
		}
	}
	for name, hidden := range map[string]bool{
		"PASSWORD": true, "DB_PASS": true, "MYSQL_ROOT_PASSWORD": true, "AWS_SECRET_ACCESS_KEY": true, "GITHUB_TOKEN": true, "ApiKey": true, "SLACK_WEBHOOK_URL": true,
		"SECRET_NAME": false, "V7__password_reset.sql": false, "TOKEN_CMD": false, "rotate-secrets.sh": false, "POSTGRES_PASS": true, "JWT_KEY": true, "TOKEN_PATH": false, "PASSWORD_FILE": false, "AWS_ACCESS_KEY_ID": false, "COMPASS": false, "BYPASS": false, "DATABASE_HOST": false, "KEYSPACE": false, "PASSWORD_MIN_LENGTH": false,
	} {
		if got := hide.Hidden(hide.Value("env", name, "abcdef")); got != hidden {
			t.Errorf("%s: hidden %v, want %v", name, got, hidden)
		}
	}
	if a, b, c := hide.Value("env", "PASSWORD", "a"), hide.Value("env", "PASSWORD", "b"), hide.Value("other", "PASSWORD", "a"); a == b || a == c {
		t.Errorf("%s, %s and %s do not differ", a, b, c)
	}
	once := hide.Text("x", "password=abc")
	if again := hide.Text("x", once); hide.Hidden(again) || again == once {
		t.Errorf("what is written like a mark passes for a credential: %s", again)
	}
}

// Hostile texts cost time that grows with their length: 128 KiB of each are read here.
func TestHostile(*testing.T) {
	for _, unit := range []string{"a=", "password=", "://a:", "://", "-----BEGIN PRIVATE KEY-----", "a:b@", "--password ", "bearer ", "eyJaaaaaaaa.", "password:\n", "password=a ", "x"} {
		hide.Text("x", strings.Repeat(unit, 1<<17/len(unit)))
	}
}
