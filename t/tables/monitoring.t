# monitoring/: the alerts are tested by promtool, each fires once in its tests and is silent once; the dashboard is one
# that Grafana can load. t/e2e/12-status.t compares the names of the metrics with those of the service.
use v5.36;

use File::Temp ();
use JSON::PP ();
use Test::More;
use Roster::Tables;

my $directory = "$Roster::Tables::source/monitoring";
my $rules = Roster::Tables::slurp("$directory/roster.rules.yml");
my $tests = Roster::Tables::slurp("$directory/roster.rules.test.yml");

my @alerts = $rules =~ /^\s*- alert: (\w+)$/mg;
cmp_ok scalar(@alerts), '>=', 10, 'there are alerts';
for my $alert (@alerts) {
    like $tests, qr/alertname: $alert, exp_alerts: \[\]/, "$alert: a test in which it is silent";
    like $tests, qr/alertname: $alert\n +exp_alerts:\n/, "$alert: a test in which it fires";
}
my $texts = () = $rules =~ /^\s+(?:summary|description): '/mg;
is $texts, 2 * @alerts, 'each says what it means, and what to do';

my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
SKIP: {
    skip 'promtool (package prometheus) is missing', 3 if !$promtool;
    for my $arguments (
        "check rules $directory/roster.rules.yml",
        "test rules $directory/roster.rules.test.yml",
        "check config $directory/prometheus.yml")
    {
        my $output = qx{$promtool $arguments 2>&1};
        is $?, 0, "promtool $arguments" or diag $output;
    }
}

# ---- The dashboard: what Grafana's schema wants of one (kinds/dashboard of its repository, schemaVersion 36) ----

my $dashboard = JSON::PP::decode_json(Roster::Tables::slurp("$directory/grafana.json"));
is $dashboard->{id}, undef, 'it has no id, so that it can be imported';
is $dashboard->{schemaVersion}, 36, 'the version of the schema';
ok length $dashboard->{title} && length $dashboard->{uid} && length $dashboard->{uid} <= 40, 'a title and a uid';
my %variable = map { ($_->{name} => $_->{type}) } @{$dashboard->{templating}{list}};
is_deeply \%variable, {datasource => 'datasource', instance => 'query'}, 'the variables';
my (%id, @taken);
for my $panel (@{$dashboard->{panels}}) {
    my $name = "panel '$panel->{title}'";
    ok $panel->{id} > 0 && !$id{$panel->{id}}++, "$name: an id of its own";
    like $panel->{type}, qr/^(?:timeseries|stat)$/, "$name: a type that each Grafana has";
    is_deeply $panel->{datasource}, {type => 'prometheus', uid => '${datasource}'}, "$name: the chosen data source";
    my $place = $panel->{gridPos};
    ok $place->{x} >= 0 && $place->{w} > 0 && $place->{x} + $place->{w} <= 24 && $place->{h} > 0, "$name: on the grid";
    for my $x ($place->{x} .. $place->{x} + $place->{w} - 1) {
        for my $y ($place->{y} .. $place->{y} + $place->{h} - 1) {
            fail "$name: $x, $y is taken by another one" if $taken[$x][$y]++;
        }
    }
    my %reference;
    ok @{$panel->{targets}} > 0, "$name: asks something";
    for my $target (@{$panel->{targets}}) {
        ok !$reference{$target->{refId}}++, "$name: $target->{refId} is there once";
        my %used = map { ($_ => 1) } $target->{expr} =~ /\$(\w+)/g;
        delete @used{qw(__rate_interval datasource instance)};
        is_deeply \%used, {}, "$name: no other variables";
        like $target->{expr}, qr/instance=~"\$instance"/, "$name: of the chosen instances";
    }
}

# Each query is PromQL: promtool reads them as rules.
SKIP: {
    skip 'promtool (package prometheus) is missing', 1 if !$promtool;
    my $file = File::Temp->new(SUFFIX => '.yml');
    my $number = 0;
    print {$file} "groups:\n  - name: dashboard\n    rules:\n",
        map { "      - record: query:" . $number++ . "\n        expr: '" . s/\$__rate_interval/5m/gr . "'\n" }
        map { $_->{expr} } map { @{$_->{targets}} } @{$dashboard->{panels}};
    $file->flush;
    my $output = qx{$promtool check rules $file 2>&1};
    is $?, 0, 'all queries are PromQL' or diag $output;
}

done_testing;
