package mysqldump

import "flag"

// Update is for the tests of both packages.
var Update = flag.Bool("update", false, "rewrite the expected text of conversations and transitions; read the diff")
