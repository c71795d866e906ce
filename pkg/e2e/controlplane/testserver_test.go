package controlplane

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The test binary is also the program that Pods run, and the owner of a control plane that gets killed.
const (
	serverEnv = "CONTROLPLANE_TEST_SERVER"
	ownerEnv  = "CONTROLPLANE_TEST_OWNER"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(serverEnv) != "":
		if err := serveTest(os.Args[1:]); err != nil {
			log.Fatal(err)
		}
	case os.Getenv(ownerEnv) != "":
		if err := ownAndWait(); err != nil {
			log.Fatal(err)
		}
	default:
		os.Exit(m.Run())
	}
}

// testServer is a webhook that denies everything, and answers questions about itself.
type testServer struct {
	name, greeting string
	unready, sick  atomic.Bool
}

// serveTest runs the server until SIGTERM, and for half a second more.
func serveTest(args []string) error {
	var s testServer
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	address := flags.String("address", "", "where to listen")
	tls := flags.String("tls", "", "folder of tls.crt and tls.key")
	flags.StringVar(&s.name, "name", "", "what to answer at /name")
	flags.StringVar(&s.greeting, "greeting", "", "file to show at /greeting")
	if err := flags.Parse(args); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/name", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.name) })
	mux.HandleFunc("/ready", s.flag(&s.unready))
	mux.HandleFunc("/live", s.flag(&s.sick))
	mux.HandleFunc("/greeting", s.showGreeting)
	mux.HandleFunc("/whoami", s.whoAmI)
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name"))) })
	mux.HandleFunc("/deny", s.deny)
	server := &http.Server{Addr: *address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		fmt.Println("ended gracefully")
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServeTLS(*tls+"/tls.crt", *tls+"/tls.key"); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// flag answers 503 once a POST has set it.
func (s *testServer) flag(f *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			f.Store(true)
		} else if f.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func (s *testServer) showGreeting(w http.ResponseWriter, _ *http.Request) {
	text, err := os.ReadFile(s.greeting)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text)
}

// whoAmI asks the API server for its user, with the configuration that the Pod was given.
func (s *testServer) whoAmI(w http.ResponseWriter, r *http.Request) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	review, err := kubernetes.NewForConfigOrDie(config).AuthenticationV1().SelfSubjectReviews().
		Create(r.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	user := review.Status.UserInfo
	fmt.Fprintf(w, "%s in Pod %s", user.Username, user.Extra["authentication.kubernetes.io/pod-name"])
}

func (s *testServer) deny(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "denied by " + s.name}}
	_ = json.NewEncoder(w).Encode(review)
}

// ownAndWait starts a control plane, prints its parts, and waits to be killed.
func ownAndWait() error {
	c, err := Start(context.Background(), Options{})
	if err != nil {
		return err
	}
	left := remainsOf(c)
	runtime.GC() // c is garbage now, but what it holds must survive
	if err := json.NewEncoder(os.Stdout).Encode(left); err != nil {
		return err
	}
	select {}
}

// remains are what a control plane must not leave behind.
type remains struct {
	Dir  string
	PIDs []int
}

func remainsOf(c *ControlPlane) remains {
	r := remains{Dir: c.Dir()}
	for _, p := range c.processes {
		r.PIDs = append(r.PIDs, p.pid())
	}
	return r
}
