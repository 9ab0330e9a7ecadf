// Command compose prints the resolved project of Compose files as JSON, the way Docker Compose itself loads them (schema,
// interpolation, extensions, profiles), without an engine. Usage: compose [-profile name]... [-env NAME=value]... file...
// Without -env no variable is set, whatever the caller's environment holds.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func main() {
	var profiles, env list
	flag.Var(&profiles, "profile", "profile to enable; * for all")
	flag.Var(&env, "env", "NAME=value for the interpolation")
	flag.Parse()
	if err := run(flag.Args(), profiles, env); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(files, profiles, env []string) error {
	options, err := cli.NewProjectOptions(files,
		cli.WithEnv(env), cli.WithDefaultProfiles(profiles...), cli.WithResolvedPaths(true), cli.WithName("millrace"))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(text, '\n'))
	return err
}
