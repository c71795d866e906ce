// Package signin has viewers of the page in a cluster sign in with OpenID Connect (authorization code with PKCE), at the issuer that the API server trusts. Their
// ID token is what the page shows the API server: nothing is impersonated.
//
// This package may change without notice.
package signin
