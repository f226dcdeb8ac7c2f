// tests/e2e/clients/post.go - posts one request by Go's net/http, as post.py does. Its TLS is Go's own.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	var job struct {
		URL, CA, Body string
		Headers       map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(job.CA))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	request, err := http.NewRequest("POST", job.URL, strings.NewReader(job.Body))
	if err != nil {
		panic(err)
	}
	for name, value := range job.Headers {
		request.Header.Set(name, value)
	}
	reply, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		panic(err)
	}
	fmt.Printf("{\"status\": %d, \"length\": %d}\n", reply.StatusCode, len(body))
}
